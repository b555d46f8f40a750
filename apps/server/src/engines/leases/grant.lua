-- What apply and load share. Parts of a member are joined by a zero byte, which no path, id or name contains, and which
-- sorts before all others: a lexicographic set of node, hold is sorted by node, then hold.
--   counters   hash  {x,s,ix,is}node: write and read claims at the node, and strictly below it; with 'session\0' before it,
--                    that session's share of them
--   writes     zset  node, hold, session, display of every write claim;  reads: of every read claim
--   globs      zset  base, mode, node, hold, session, display of every claim of a glob, which is a node below its base elsewhere
--   claims     zset  hold, mode, node
--   holds      hash  hold → session, JSON as given
--   holders    zset  session, JSON of every hold
--   lost       zset  session, how it ended, JSON of every hold that others ended since the session's last beat
--   deadlines  zset  session → logical ms;  ttls: hash session → ms;  condemned: set of sessions, not in those two

local function first_part(member)
  return string.sub(member, 1, string.find(member, '\0', 1, true) - 1)
end

local function rest(member)
  return string.sub(member, string.find(member, '\0', 1, true) + 1)
end

local changed = {}

local function bump(session, counter, by)
  changed[counter] = (changed[counter] or 0) + by
  local share = session .. '\0' .. counter
  changed[share] = (changed[share] or 0) + by
end

local function count(session, mode, node, by)
  local at, below = 'x', 'ix'
  if mode == 'read' then
    at, below = 's', 'is'
  end
  bump(session, at .. node, by)
  local slash = string.find(node, '/', 1, true)
  while slash do
    bump(session, below .. string.sub(node, 1, slash - 1), by)
    slash = string.find(node, '/', slash + 1, true)
  end
end

-- Claims of one hold share most ancestors, so counters are written once, at the end. A zero goes: nothing held leaves no key.
local function write_counters()
  -- Redis packs a small hash into a list that every read walks: a check took 200 µs with 100 claims held and 75 µs with 100,000.
  -- One field longer than hash-max-listpack-value (64) prevents it.
  local unpacked = string.rep('-', 65)
  redis.call('HSET', counters, unpacked, '')
  for counter, by in pairs(changed) do
    if by ~= 0 and redis.call('HINCRBY', counters, counter, by) == 0 then
      redis.call('HDEL', counters, counter)
    end
  end
  if redis.call('HLEN', counters) == 1 then
    redis.call('DEL', counters)
  end
end

local function list_of(mode)
  return mode == 'read' and reads or writes
end

local function grant(changes, clk)
  for _, session in ipairs(changes.sessionsOpened) do
    if redis.call('SISMEMBER', condemned, session[1]) == 0 then
      redis.call('ZADD', deadlines, text(clk + session[2]), session[1])
      redis.call('HSET', ttls, session[1], text(session[2]))
    end
  end
  for _, hold in ipairs(changes.holdsGranted) do
    local held = hold[2] .. '\0' .. hold[3]
    if redis.call('HSETNX', holds, hold[1], held) == 1 then
      redis.call('ZADD', holders, 0, held)
    end
  end
  for _, claim in ipairs(changes.claimsGranted) do
    local hold, mode, node, display = unpack(claim)
    local held = redis.call('HGET', holds, hold)
    if held and redis.call('ZADD', claims, 0, hold .. '\0' .. mode .. '\0' .. node) == 1 then
      local session = first_part(held)
      local member = node .. '\0' .. hold .. '\0' .. session .. '\0' .. display
      redis.call('ZADD', list_of(mode), 0, member)
      count(session, mode, node, 1)
      local base = base_of(node)
      if base then
        redis.call('ZADD', globs, 0, base .. '\0' .. mode .. '\0' .. member)
      end
    end
  end
end
