-- join(): reads a join: name, number of its stream's key, of its schedule's (0: its patience has no end), 1 for a gather,
-- patience in ms, its alarm, the blobs of its run's terminal if it starves, number of slots, of each its name and 1 if optional.
-- @include arg
-- @include key
local function join()
  local read = { name = arg(), stream = key(), schedule = key(), gathers = arg() == 1, timeout_ms = arg() }
  read.alarm, read.starved, read.slots = arg(), arg(), {}
  for position = 1, arg() do read.slots[position] = { name = arg(), optional = arg() == 1 } end
  return read
end
