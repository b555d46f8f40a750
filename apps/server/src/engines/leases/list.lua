-- ARGV: seen, max_step
-- Answers nil without an index; else {clk, {session, deadline, …}} of the sessions that are not condemned.
if not is_standing(ARGV[1]) then
  return nil
end
return { text(observe(ARGV[2])), redis.call('ZRANGE', deadlines, 0, -1, 'WITHSCORES') }
