-- ARGV: seen, limit, number of sessions in the lineage, those sessions, then mode and node of each claim
-- Answers nil without an index; else, for each conflict and sorted by claim only,
--   {claim (from 0), why, mode, 'node\0hold\0session\0display', 'session\0JSON' of the hold}
-- One HMGET a claim, whatever is held: the lists are read only where the counters say that others are in the way.
if not is_standing(ARGV[1]) then
  return nil
end
local limit, lineage = tonumber(ARGV[2]), tonumber(ARGV[3])
local own = {}
for i = 4, 3 + lineage do
  own[ARGV[i]] = true
end
local conflicts = {}

local function name_others(claim, why, mode, node, expected)
  local from, to = '[' .. node .. '\0', '(' .. node .. '\1'
  if why == 'below' then
    from, to = '[' .. node .. '/', '(' .. node .. '0'
  end
  local wanted = math.min(expected, limit)
  while wanted > 0 do
    local page = redis.call('ZRANGEBYLEX', mode == 'read' and reads or writes, from, to, 'LIMIT', 0, limit)
    for _, member in ipairs(page) do
      local node_end = string.find(member, '\0', 1, true)
      local hold_end = string.find(member, '\0', node_end + 1, true)
      local session_end = string.find(member, '\0', hold_end + 1, true)
      if wanted > 0 and not own[string.sub(member, hold_end + 1, session_end - 1)] then
        local hold = redis.call('HGET', holds, string.sub(member, node_end + 1, hold_end - 1))
        conflicts[#conflicts + 1] = { claim, why, mode, member, hold }
        wanted = wanted - 1
      end
    end
    if #page < limit then
      return
    end
    from = '(' .. page[#page]
  end
end

local function check(claim, wanted_mode, node)
  local places, fields = {}, {}
  local function ask(why, mode, place, counter)
    places[#places + 1] = { why, mode, place }
    fields[#fields + 1] = counter .. place
    for i = 4, 3 + lineage do
      fields[#fields + 1] = ARGV[i] .. '\0' .. counter .. place
    end
  end
  local function ask_for(mode, at, below)
    local slash = string.find(node, '/', 1, true)
    while slash do
      ask('above', mode, string.sub(node, 1, slash - 1), at)
      slash = string.find(node, '/', slash + 1, true)
    end
    ask('same', mode, node, at)
    ask('below', mode, node, below)
  end
  ask_for('write', 'x', 'ix')
  if wanted_mode == 'write' then
    ask_for('read', 's', 'is')
  end

  local found = redis.call('HMGET', counters, unpack(fields))
  for i, place in ipairs(places) do
    local first = (i - 1) * (lineage + 1) + 1
    local others = tonumber(found[first] or 0)
    for share = first + 1, first + lineage do
      others = others - tonumber(found[share] or 0)
    end
    if others > 0 then
      name_others(claim, place[1], place[2], place[3], others)
    end
  end
end

local first = 4 + lineage
for i = first, #ARGV, 2 do
  check((i - first) / 2, ARGV[i], ARGV[i + 1])
  if #conflicts >= limit then
    break
  end
end
return conflicts
