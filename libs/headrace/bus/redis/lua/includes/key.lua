-- key(): the key that the next argument names by its number; nil for 0.
-- @include arg
local function key()
  return KEYS[arg()]
end
