-- skip(): reads one output from the arguments and drops it: its run has ended.
-- @include arg
local function skip()
  local words = { emit = 2, lane = 4, schedule = 3 }
  local kind = arg()
  if kind == 'join' then
    for _ = 1, 3 do arg() end
    for _ = 1, tonumber(arg()) + 1 do arg() end
  else
    for _ = 1, words[kind] do arg() end
  end
end
