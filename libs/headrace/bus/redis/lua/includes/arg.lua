-- arg(): the next argument: ARGV has all of them in one, packed, since a client packs one far faster than thousands.
-- passage(): reads how many arguments a passage has, and gives where it ends; leap(to): goes on from there.
local at = 0
local arguments = cmsgpack.unpack(ARGV[1])
local function arg()
  at = at + 1
  return arguments[at]
end
local function passage()
  local length = arg()
  return at + length
end
local function leap(to)
  at = to
end
