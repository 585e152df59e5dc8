-- settle(env): reads how one item of a delivery ended and records it; gives the item's answer, its ticket where that is finished.
-- @include arg
-- @include lane
-- @include open_run
-- @include save_run
-- @include record
-- @include skip
-- @include end_run
-- @include let_go
local function settle(env)
  local number, trace, ticket, is_again = tonumber(arg()), arg(), arg(), arg() == '1'
  local state, blob, has_dead, dead = arg(), arg(), arg() == '1', arg()
  local tickets = {}
  for position = 1, tonumber(arg()) do tickets[position] = lane() end
  local outputs = tonumber(arg())
  local run = open_run(number, trace, env)
  if not run or (run.state ~= 'open' and run.state ~= 'completed') then
    for _ = 1, outputs do skip() end
    if run then redis.call('HINCRBY', run.key, 'in_flight', -1) end
    if trace == '' and has_dead then
      redis.call('XADD', env.dead, '*', 'letter', dead)
      return 'committed', ticket
    end
    return 'late', ticket
  end
  run.tickets = tickets
  run.n = run.n - 1
  if has_dead then redis.call('XADD', env.dead, '*', 'letter', dead) end
  for _ = 1, outputs do record(run) end
  local answer = 'committed'
  if state ~= '' then
    if run.state == 'open' then end_run(run, state, blob) else answer = 'duplicate' end
  end
  if run.n <= run.w then
    if run.state == 'open' then
      if run.w > 0 then end_run(run, 'failed', env.starved) else end_run(run, 'completed', '') end
    end
    if run.state == 'completed' then let_go(run) end
  end
  save_run(run, env.retention_ms)
  return answer, not is_again and ticket or nil
end
