-- entry_of(frames, stash): the fields of a stream's entry with one item; the stash is empty for none.
local function entry_of(frames, stash)
  local entry = {}
  for position, frame in ipairs(frames) do
    entry[2 * position - 1] = '0'
    entry[2 * position] = frame
  end
  if stash ~= '' then
    entry[#entry + 1] = 'stash'
    entry[#entry + 1] = stash
  end
  return entry
end
