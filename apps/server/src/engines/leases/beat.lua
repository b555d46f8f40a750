-- ARGV: seen, max_step, keep_lost ('1' or ''), sessions
-- Answers nil without an index; else {clk, then for each session 'unknown', 'condemned' or
--   {ttl, {'session\0JSON' of each hold}, {'session\0as\0JSON' of each lost one}}}
if not is_standing(ARGV[1]) then
  return nil
end
local clk = observe(ARGV[2])
local answers = { text(clk) }
for i = 4, #ARGV do
  local session = ARGV[i]
  local ttl = redis.call('HGET', ttls, session)
  if ttl then
    local from, to = '[' .. session .. '\0', '(' .. session .. '\1'
    redis.call('ZADD', deadlines, text(clk + ttl), session)
    local lately = redis.call('ZRANGEBYLEX', lost, from, to)
    if #lately > 0 and ARGV[3] == '' then
      redis.call('ZREM', lost, unpack(lately))
    end
    answers[i - 2] = { ttl, redis.call('ZRANGEBYLEX', holders, from, to), lately }
  else
    answers[i - 2] = redis.call('SISMEMBER', condemned, session) == 1 and 'condemned' or 'unknown'
  end
end
return answers
