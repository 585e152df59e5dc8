-- arg(): the next argument; a script reads its ARGV from front to back.
local at = 0
local function arg()
  at = at + 1
  return ARGV[at]
end
