-- ARGV: seen, number of sessions in the lineage, those sessions, then mode and node of each claim
-- Answers nil without an index; else for each claim: does the lineage hold it, here or above, strongly enough? 1, or the
-- globs of the lineage that may take it in, where the caller looks.
if not is_standing(ARGV[1]) then
  return nil
end
local lineage = tonumber(ARGV[2])
local own, any_globs = {}, redis.call('EXISTS', globs) == 1
for i = 3, 2 + lineage do
  own[ARGV[i]] = true
end

local function covered(mode, wanted)
  local node = base_of(wanted) or wanted
  local fields, candidates = {}, {}
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
    local above = string.sub(node, 1, slash - 1)
    ask(above)
    if any_globs and node == wanted then
      for _, entry in ipairs(redis.call('ZRANGEBYLEX', globs, '[' .. above .. '\0', '(' .. above .. '\1')) do
        local _, _, held, glob, session = string.find(entry, '^[^%z]*%z([^%z]*)%z([^%z]*)%z[^%z]*%z([^%z]*)')
        if own[session] and (held == 'write' or mode == 'read') then
          candidates[#candidates + 1] = glob
        end
      end
    end
    slash = string.find(node, '/', slash + 1, true)
  end
  ask(node)
  ask(wanted)
  for _, count in ipairs(redis.call('HMGET', counters, unpack(fields))) do
    if count and tonumber(count) > 0 then
      return 1
    end
  end
  return candidates
end

local answers = {}
for i = 3 + lineage, #ARGV, 2 do
  answers[#answers + 1] = lineage > 0 and covered(ARGV[i], ARGV[i + 1]) or {}
end
return answers
