-- fire(run, join, frames): the join's item goes to its stream; what met there is now one piece of work.
-- A gather's frames stay in the run's stash until its item is settled.
-- @include entry_of
local function fire(run, join, frames)
  local gathered = tonumber(join.gathers and redis.call('HGET', run.joins, 'g' .. join.name) or '0')
  local met, fields = #frames + gathered, { 'b' .. join.name }
  for _, slot in ipairs(join.slots) do fields[#fields + 1] = 's' .. join.name .. ':' .. slot.name end
  redis.call('HDEL', run.joins, unpack(fields))
  redis.call('HSET', run.joins, 'd' .. join.name, '')
  run.n = run.n - met + 1
  run.w = run.w - met
  redis.call('XADD', join.stream, '*', unpack(entry_of(frames, gathered > 0 and join.name or '')))
end
