-- ARGV: seen, max_step, grace
-- Answers nil without an index; else {clk, sessions past ttl and grace, condemned sessions}.
if not is_ours(ARGV[1]) then
  return nil
end
local clk = observe(ARGV[2])
local late = redis.call('ZRANGEBYSCORE', deadlines, '-inf', '(' .. text(clk - ARGV[3]))
return { text(clk), late, redis.call('SMEMBERS', condemned) }
