-- told(run): reads events that calls of a run tell, and keeps what is new of them while it is open: how many calls; of each its
-- invocation, its turn, events of that turn told before, number of events, the events.
-- @include arg
-- @include names
-- @include chronicle
local function told(run)
  for _ = 1, arg() do
    local invocation, turn, first, events = arg(), arg(), arg(), names()
    if run.events and run.state == 'open' then
      local field = 'e' .. invocation
      local known, count = string.match(redis.call('HGET', run.joins, field) or '', '^(%S+) (%d+)$')
      count = known == turn and tonumber(count) or 0
      if not known or known <= turn then
        if known and known < turn then chronicle(run, 'replaced', invocation) end
        for position = math.max(count - first, 0) + 1, #events do chronicle(run, 'event', events[position]) end
        redis.call('HSET', run.joins, field, turn .. ' ' .. math.max(count, first + #events))
      end
    end
  end
end
