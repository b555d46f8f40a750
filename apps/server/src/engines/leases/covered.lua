-- ARGV: seen, number of sessions in the lineage, those sessions, then mode and node of each claim
-- Answers nil without an index; else for each claim 1 or 0: does the lineage hold it, here or above, strongly enough?
if not is_standing(ARGV[1]) then
  return nil
end
local lineage = tonumber(ARGV[2])
local answers = {}

local function is_covered(mode, node)
  local fields = {}
  local function ask(place)
    for i = 3, 2 + lineage do
      fields[#fields + 1] = ARGV[i] .. '\0x' .. place
      if mode == 'read' then
        fields[#fields + 1] = ARGV[i] .. '\0s' .. place
      end
    end
  end
  local slash = string.find(node, '/', 1, true)
  while slash do
    ask(string.sub(node, 1, slash - 1))
    slash = string.find(node, '/', slash + 1, true)
  end
  ask(node)
  for _, count in ipairs(redis.call('HMGET', counters, unpack(fields))) do
    if count and tonumber(count) > 0 then
      return 1
    end
  end
  return 0
end

for i = 3 + lineage, #ARGV, 2 do
  answers[#answers + 1] = lineage > 0 and is_covered(ARGV[i], ARGV[i + 1]) or 0
end
return answers
