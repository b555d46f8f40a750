-- ARGV: seen, limit, most to compare, number of sessions in the lineage, those sessions, then mode and node of each claim
-- Answers nil without an index; else {conflicts, covered}. A conflict, sorted by claim only, is
--   {claim (from 0), why, mode, 'node\0hold\0session\0display', 'session\0JSON' of the hold}
-- where why 'glob' and 'compare' (below the base of a requested glob) are conflicts only if the patterns meet: the caller looks.
-- Covered, for each claim: does the lineage hold it, here or above, strongly enough? 1, or the globs of the lineage that may
-- take it in, where the caller looks.
-- Two HMGETs a claim, whatever is held: the lists are read only where the counters say that others are in the way.
if not is_standing(ARGV[1]) then
  return nil
end
local limit, most, lineage = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local first_session, first_claim = 5, 5 + lineage
local own = {}
for i = first_session, first_claim - 1 do
  own[ARGV[i]] = true
end
local conflicts, certain = {}, 0

-- False when it is held by one of the lineage.
local function add(claim, why, mode, member)
  local _, _, hold, session = string.find(member, '^[^%z]*%z([^%z]*)%z([^%z]*)')
  if own[session] then
    return false
  end
  conflicts[#conflicts + 1] = { claim, why, mode, member, redis.call('HGET', holds, hold) }
  return true
end

local function name_others(claim, why, mode, node, expected)
  local from, to = '[' .. node .. '\0', '(' .. node .. '\1'
  if why ~= 'above' and why ~= 'same' then
    from, to = '[' .. node .. '/', '(' .. node .. '0'
  end
  local wanted, size = math.min(expected, limit), limit
  if why == 'compare' then
    wanted, size = expected, most
  end
  while wanted > 0 do
    local page = redis.call('ZRANGEBYLEX', mode == 'read' and reads or writes, from, to, 'LIMIT', 0, size)
    for _, member in ipairs(page) do
      if wanted > 0 and add(claim, why, mode, member) then
        wanted = wanted - 1
        certain = certain + (why == 'compare' and 0 or 1)
      end
    end
    if #page < size then
      return
    end
    from = '(' .. page[#page]
  end
end

local any_globs = redis.call('EXISTS', globs) == 1
local function name_globs(claim, wanted_mode, base)
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', globs, '[' .. base .. '\0', '(' .. base .. '\1')) do
    local _, _, mode, member = string.find(entry, '^[^%z]*%z([^%z]*)%z(.*)$')
    if mode == 'write' or wanted_mode == 'write' then
      add(claim, 'glob', mode, member)
    end
  end
end

local function check(claim, wanted_mode, wanted)
  local base = base_of(wanted)
  local node = base or wanted
  local above = {}
  local slash = string.find(node, '/', 1, true)
  while slash do
    above[#above + 1] = string.sub(node, 1, slash - 1)
    slash = string.find(node, '/', slash + 1, true)
  end

  local places, fields = {}, {}
  local function ask(why, mode, place, counter)
    places[#places + 1] = { why, mode, place }
    fields[#fields + 1] = counter .. place
    for i = first_session, first_claim - 1 do
      fields[#fields + 1] = ARGV[i] .. '\0' .. counter .. place
    end
  end
  local function ask_for(mode, at, below)
    for _, place in ipairs(above) do
      ask('above', mode, place, at)
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
    local all = tonumber(found[first] or 0)
    local others = all
    for share = first + 1, first + lineage do
      others = others - tonumber(found[share] or 0)
    end
    if others > 0 then
      local why, mode, at = unpack(place)
      if why == 'below' and base and all <= most then
        why = 'compare'
      end
      name_others(claim, why, mode, at, others)
    end
  end
  if any_globs then
    for _, place in ipairs(above) do
      name_globs(claim, wanted_mode, place)
    end
  end
end

for i = first_claim, #ARGV, 2 do
  check((i - first_claim) / 2, ARGV[i], ARGV[i + 1])
  if certain >= limit then
    break
  end
end

local function covered(mode, wanted)
  local node = base_of(wanted) or wanted
  local fields, candidates = {}, {}
  local function ask(place)
    for i = first_session, first_claim - 1 do
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

local all_covered = {}
for i = first_claim, #ARGV, 2 do
  all_covered[#all_covered + 1] = lineage > 0 and covered(ARGV[i], ARGV[i + 1]) or {}
end
return { conflicts, all_covered }
