-- let_go(run): frees what an ended run holds: what waits at joins and for signals, and its unused tickets, so that their lanes move on.
-- @include pump
local function let_go(run)
  run.n = run.n - run.w - run.p
  run.w = 0
  run.had_parked = run.p > 0
  run.p = 0
  run.drained = true
  redis.call('UNLINK', run.joins)
  for _, lane in ipairs(run.tickets) do
    local ticket = redis.call('HGET', run.key, 'ticket:' .. lane.name)
    if ticket then
      redis.call('HDEL', run.key, 'ticket:' .. lane.name)
      redis.call('ZREM', lane.tickets, ticket)
      pump(lane, run.batch)
    end
  end
end
