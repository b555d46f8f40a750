-- ARGV: seen, max_step, ledger, from, to, changes as JSON of rows:
--   claimsEnded [hold, mode, node], holdsEnded [id, as], sessionsClosed id, sessionsOpened [id, ttl],
--   holdsGranted [id, session, JSON], claimsGranted [hold, mode, node, display]
-- Answers nil when the index is not at exactly (ledger, from); else {clk}.
local stands = redis.call('HMGET', meta, 'ledger', 'ver')
if not is_ours(ARGV[1]) or stands[1] ~= ARGV[3] or stands[2] ~= ARGV[4] then
  return nil
end
local clk = observe(ARGV[2])
local changes = cjson.decode(ARGV[6])

local function end_claim(session, hold, mode, node)
  if redis.call('ZREM', claims, hold .. '\0' .. mode .. '\0' .. node) == 1 then
    redis.call('ZREMRANGEBYLEX', list_of(mode), '[' .. node .. '\0' .. hold .. '\0', '(' .. node .. '\0' .. hold .. '\1')
    count(session, mode, node, -1)
    local base = base_of(node)
    if base then
      local glob = base .. '\0' .. mode .. '\0' .. node .. '\0' .. hold
      redis.call('ZREMRANGEBYLEX', globs, '[' .. glob .. '\0', '(' .. glob .. '\1')
    end
  end
end

for _, claim in ipairs(changes.claimsEnded) do
  local held = redis.call('HGET', holds, claim[1])
  if held then
    end_claim(first_part(held), unpack(claim))
  end
end
for _, ended in ipairs(changes.holdsEnded) do
  local hold, as = unpack(ended)
  local held = redis.call('HGET', holds, hold)
  if held then
    local session = first_part(held)
    for _, claim in ipairs(redis.call('ZRANGEBYLEX', claims, '[' .. hold .. '\0', '(' .. hold .. '\1')) do
      local claimed = rest(claim)
      end_claim(session, hold, first_part(claimed), rest(claimed))
    end
    redis.call('HDEL', holds, hold)
    redis.call('ZREM', holders, held)
    if as ~= 'released' and redis.call('HEXISTS', ttls, session) == 1 then
      redis.call('ZADD', lost, 0, session .. '\0' .. as .. '\0' .. rest(held))
    end
  end
end
for _, session in ipairs(changes.sessionsClosed) do
  redis.call('ZREM', deadlines, session)
  redis.call('HDEL', ttls, session)
  redis.call('SREM', condemned, session)
  redis.call('ZREMRANGEBYLEX', lost, '[' .. session .. '\0', '(' .. session .. '\1')
end
grant(changes, clk)
write_counters()
redis.call('HSET', meta, 'ver', ARGV[5])
return { text(clk) }
