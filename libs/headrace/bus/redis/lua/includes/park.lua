-- park(run, stream, group, signal, stash, frames): an item waits for a signal, or goes on at once where that has come already.
-- @include resume
local function park(run, stream, group, signal, stash, frames)
  local come = redis.call('HGET', run.joins, 'i' .. signal)
  if come then return resume(stream, stash, frames, come) end
  run.p = run.p + 1
  local number = redis.call('HINCRBY', run.joins, 'p' .. signal, 1)
  redis.call('HSET', run.joins, 'p' .. signal .. '#' .. number, cmsgpack.pack({ group, stash, frames }))
end
