-- reply(env, trace, state, blob): tells a run's terminal: straight to the inboxes of its waiters where the caller has named all of
-- them, else to the replies stream, whose coordinator finds any; `env.unknown` then has those that the caller may learn.
local function reply(env, trace, state, blob)
  local waiting, inboxes = env.inboxes and redis.call('HGET', env.waiters, trace), {}
  local is_told = waiting
  for name in string.gmatch(waiting or '', '[^,]+') do
    local inbox = env.inboxes[name]
    if inbox then inboxes[#inboxes + 1] = inbox else env.unknown[name], is_told = true, false end
  end
  if not is_told then
    redis.call('XADD', env.replies, '*', 'trace', trace, 'state', state, 'terminal', blob)
    return
  end
  env.replied_runs = env.replied_runs + 1
  redis.call('HDEL', env.waiters, trace)
  for _, inbox in ipairs(inboxes) do
    redis.call('XADD', inbox, '*', 'trace', trace, 'state', state, 'terminal', blob)
    env.replied[inbox] = true
  end
end
