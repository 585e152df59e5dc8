-- arrive(run, join, slot, frame, feeds): an arrival at a join; a duplicate, or one after the join has fired, is absorbed.
-- @include begin_join
local function arrive(run, join, slot, frame, feeds)
  if redis.call('HEXISTS', run.joins, 'd' .. join.name) == 1 then return end
  if redis.call('HEXISTS', run.joins, 'b' .. join.name) == 0 then
    if join.gathers then return end
    begin_join(run, join, '', feeds)
  end
  if join.gathers then
    local number = redis.call('HINCRBY', run.joins, 'g' .. join.name, 1)
    redis.call('HSET', run.joins, 'g' .. join.name .. '#' .. number, frame)
  elseif redis.call('HSETNX', run.joins, 's' .. join.name .. ':' .. slot, frame) == 0 then
    return
  end
  run.n = run.n + 1
  run.w = run.w + 1
end
