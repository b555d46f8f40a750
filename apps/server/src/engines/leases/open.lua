-- ARGV: seen, max_step, session, ttl
-- Answers nil without an index; else {clk, 1}, or {clk, 0} when the session is condemned.
if not is_standing(ARGV[1]) then
  return nil
end
local clk = observe(ARGV[2])
if redis.call('SISMEMBER', condemned, ARGV[3]) == 1 then
  return { text(clk), 0 }
end
redis.call('ZADD', deadlines, text(clk + ARGV[4]), ARGV[3])
redis.call('HSET', ttls, ARGV[3], ARGV[4])
return { text(clk), 1 }
