-- ARGV: seen
-- Answers nil without an index; else {clk, ledger, ver}.
if not is_ours(ARGV[1]) then
  return nil
end
return redis.call('HMGET', meta, 'clk', 'ledger', 'ver')
