-- ARGV: seen, max_step, ledger, ver, refresh ('1' or ''), snapshot as JSON of rows (see apply: the last three lists)
-- Answers {clk, 1} when it replaced the index, {clk, 0} when that stands at this version already, or further on.
local stands = redis.call('HMGET', meta, 'ledger', 'ver', 'clk')
local same_ledger = stands[1] == ARGV[3]
if stands[2] and same_ledger then
  local ahead = tonumber(stands[2]) - tonumber(ARGV[4])
  if ahead > 0 or (ahead == 0 and ARGV[5] == '' and is_ours(ARGV[1])) then
    return { stands[3], 0 }
  end
end

-- After a set-back the clock goes on from where the caller saw it, never from where it was restored to.
redis.call('HSET', meta, 'clk', text(math.max(tonumber(stands[3] or 0), tonumber(ARGV[1]))))
local clk = observe(ARGV[2])
redis.call('UNLINK', counters, writes, reads, claims, holds, globs, holders, deadlines, ttls, condemned)
grant(cjson.decode(ARGV[6]), clk)
write_counters()
for _, member in ipairs(redis.call('ZRANGE', lost, 0, -1)) do
  if not same_ledger or redis.call('HEXISTS', ttls, first_part(member)) == 0 then
    redis.call('ZREM', lost, member)
  end
end
redis.call('HSET', meta, 'ledger', ARGV[3], 'ver', ARGV[4], 'run', current_run())
return { text(clk), 1 }
