-- came(run, join): what has come to a join that waits: its frames in the order of its slots, and a list of its empty slots; a
-- gather has its opening frame, and all its slots count as empty. nil where it does not wait.
local function came(run, join)
  local opening = redis.call('HGET', run.joins, 'b' .. join.name)
  if not opening then return nil end
  if join.gathers then return { opening }, join.slots end
  local frames, empty = {}, {}
  for _, slot in ipairs(join.slots) do
    local frame = redis.call('HGET', run.joins, 's' .. join.name .. ':' .. slot.name)
    if frame then frames[#frames + 1] = frame else empty[#empty + 1] = slot end
  end
  return frames, empty
end
