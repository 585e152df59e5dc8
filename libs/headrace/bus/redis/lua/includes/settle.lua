-- settle(dead): reads how one item of a delivery ended and records it; gives the item's answer, its ticket where that is finished.
-- @include env
-- @include holds
-- @include told
-- @include open_run
-- @include takes_work
-- @include save_run
-- @include work
-- @include end_run
-- @include close_root
-- @include count_out
-- @include empty_stash
local function settle(dead)
  local stop = passage()
  local number, trace, ticket, is_again, stash = arg(), arg(), arg(), arg() == 1, arg()
  local state, blob, has_letter, letter = arg(), arg(), arg() == 1, arg()
  local run = open_run(number, trace, env)
  if not takes_work(run) then
    leap(stop)
    count_out(number, trace, env, 1)
    if run or not has_letter then return 'late', ticket end
    redis.call('XADD', dead, '*', 'letter', letter)
    return trace == '' and 'committed' or 'late', ticket
  end
  holds(run)
  run.n = run.n - 1
  if stash ~= '' then empty_stash(run, stash) end
  if has_letter then redis.call('XADD', dead, '*', 'letter', letter) end
  told(run)
  local settle_joins = work(run)
  local answer = 'committed'
  if state ~= '' then
    if run.state == 'open' then end_run(run, state, blob) else answer = 'duplicate' end
  end
  settle_joins()
  close_root(run)
  save_run(run)
  return answer, not is_again and ticket or nil
end
