-- look(run, join): looks at a join that was reached or lost a feeder: it fires, starves or waits.
-- @include came
-- @include fire
-- @include end_run
local function look(run, join)
  local frames, empty = came(run, join)
  if not frames then return end
  local waits, is_starved = false, false
  for _, slot in ipairs(empty) do
    if redis.call('HEXISTS', run.joins, 'c' .. join.name .. ':' .. slot.name) == 1 then
      waits = true
    elseif not join.gathers and not slot.optional then
      is_starved = true
    end
  end
  if is_starved then
    if run.state == 'open' then end_run(run, 'failed', join.starved) end
  elseif not waits then
    fire(run, join, frames)
  end
end
