-- tickets(): reads the lanes in which a run took tickets at ingress: their number, a lane each.
-- @include arg
-- @include lane
local function tickets()
  local read = {}
  for position = 1, arg() do read[position] = lane() end
  return read
end
