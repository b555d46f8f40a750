-- Goes before every script, after one line that names KEYS: `local meta, … = unpack(KEYS)` (scripts.ts has the lists).
-- meta: hash {ledger, ver, run, raw, clk}, the only key of a project that outlives its last session and hold.

-- Lua prints 1.7e12 in exponent form, and cjson loses digits after the 14th.
local function text(number)
  return string.format('%.0f', number)
end

-- What all that a glob matches lies below; nil for a node without wildcards.
local function base_of(node)
  local wild = string.find(node, '[*?]')
  return wild and string.match(string.sub(node, 1, wild), '^(.*)/')
end

-- The id of this Redis process; '' where INFO is not permitted, and then no two processes differ.
local function current_run()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and info:match('run_id:(%x+)') or ''
end

-- True when there is an index, and its clock is not set back to before `seen`, the highest that the caller saw.
local function is_standing(seen)
  local found = redis.call('HMGET', meta, 'ver', 'clk')
  return found[1] and tonumber(found[2]) >= tonumber(seen)
end

-- The same, and it was loaded by this very process. INFO costs 8 µs, so heartbeats and checks do without.
local function is_ours(seen)
  return is_standing(seen) and redis.call('HGET', meta, 'run') == current_run()
end

-- The logical clock, moved on by the time since it was last observed: never back, at most max_step forward.
local function observe(max_step)
  local time = redis.call('TIME')
  local raw = time[1] * 1000 + math.floor(time[2] / 1000)
  local last = redis.call('HMGET', meta, 'raw', 'clk')
  local step = math.min(math.max(raw - tonumber(last[1] or raw), 0), tonumber(max_step))
  local clk = tonumber(last[2] or 0) + step
  redis.call('HSET', meta, 'raw', text(raw), 'clk', text(clk))
  return clk
end
