-- lane(): reads a lane: the number of its key (its tickets and its stream follow in KEYS), and its name; nil for 0.
-- @include arg
local function lane()
  local first = arg()
  local name = arg()
  if first == 0 then return nil end
  return { key = KEYS[first], tickets = KEYS[first + 1], stream = KEYS[first + 2], name = name }
end
