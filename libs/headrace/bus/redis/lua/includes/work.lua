-- work(run): reads what a run's work leads to and records it: the joins that it reaches or that lose a feeder, the changes of
-- their feeders' counts, and its outputs. Gives a function that settles the joins, to be called when the run's terminal is known.
-- @include arg
-- @include join
-- @include record
-- @include count_feeders
-- @include look
local function work(run)
  local joins, changes = {}, {}
  for position = 1, arg() do joins[position] = join() end
  for position = 1, arg() do changes[position] = { arg(), arg() } end
  for _ = 1, arg() do record(run, joins) end
  return function()
    if run.state ~= 'open' and run.state ~= 'completed' then return end
    for _, change in ipairs(changes) do count_feeders(run, change[1], change[2]) end
    for _, own in ipairs(joins) do
      if run.state == 'open' or run.state == 'completed' then look(run, own) end
    end
  end
end
