-- names(): reads a list: its length, then what is in it.
-- @include arg
local function names()
  local read = {}
  for position = 1, arg() do read[position] = arg() end
  return read
end
