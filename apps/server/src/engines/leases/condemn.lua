-- ARGV: seen, max_step, grace, session, dead ('1' or '')
-- Answers nil without an index; else {clk, 'done', 'condemned', 'alive' or 'unknown'}.
if not is_ours(ARGV[1]) then
  return nil
end
local clk, session = observe(ARGV[2]), ARGV[4]
local deadline = redis.call('ZSCORE', deadlines, session)
if not deadline then
  return { text(clk), redis.call('SISMEMBER', condemned, session) == 1 and 'condemned' or 'unknown' }
end
if ARGV[5] == '' and clk <= deadline + ARGV[3] then
  return { text(clk), 'alive' }
end
redis.call('ZREM', deadlines, session)
redis.call('HDEL', ttls, session)
redis.call('SADD', condemned, session)
return { text(clk), 'done' }
