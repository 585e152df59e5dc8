-- arrive(run, stream, join, slot, slots, frame): an arrival at an ALL join; a duplicate, or one after the join has fired, is absorbed.
local function arrive(run, stream, join, slot, slots, frame)
  if redis.call('HEXISTS', run.joins, join) == 1 then return end
  if redis.call('HSETNX', run.joins, join .. '/' .. slot, frame) == 0 then return end
  run.n = run.n + 1
  run.w = run.w + 1
  local fields = {}
  for position, name in ipairs(slots) do fields[position] = join .. '/' .. name end
  local frames = redis.call('HMGET', run.joins, unpack(fields))
  local entry = {}
  for position = 1, #slots do
    if not frames[position] then return end
    entry[#entry + 1] = '0'
    entry[#entry + 1] = frames[position]
  end
  redis.call('HDEL', run.joins, unpack(fields))
  redis.call('HSET', run.joins, join, 'fired')
  run.n = run.n - #slots + 1
  run.w = run.w - #slots
  redis.call('XADD', stream, '*', unpack(entry))
end
