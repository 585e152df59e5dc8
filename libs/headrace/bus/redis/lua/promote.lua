-- promote: puts due items back into their lane or their group's stream; the items of an ended run are dropped.
-- Lanes hand out when all items are in their places, so what comes back together goes out together.
-- KEYS   1 the schedule; then the keys that ARGV names by their numbers
-- ARGV   lane batch, number of items; an item: member, number of its run's key, lane, number of its stream's key, ticket,
--        number of frames, the frames
-- GIVES  how many were put back or dropped now
-- @include arg
-- @include key
-- @include lane
-- @include pump
local batch, promoted, lanes, is_listed = tonumber(arg()), 0, {}, {}

local function put_back(is_wanted, own, stream, ticket, entry)
  if own then
    if is_wanted then redis.call('HSET', own.key, 'p' .. ticket, entry[2]) else redis.call('ZREM', own.tickets, ticket) end
    if not is_listed[own.key] then
      is_listed[own.key] = true
      lanes[#lanes + 1] = own
    end
  elseif is_wanted then
    redis.call('XADD', stream, '*', unpack(entry))
  end
end

for _ = 1, tonumber(arg()) do
  local member, run, own, stream, ticket, entry = arg(), key(), lane(), key(), arg(), {}
  for _ = 1, tonumber(arg()) do
    entry[#entry + 1] = '0'
    entry[#entry + 1] = arg()
  end
  if redis.call('ZREM', KEYS[1], member) == 1 then
    local state = redis.call('HGET', run, 'state')
    local is_wanted = state == 'open' or state == 'completed'
    if state and not is_wanted then redis.call('HINCRBY', run, 'in_flight', -1) end
    put_back(is_wanted, own, stream, ticket, entry)
    promoted = promoted + 1
  end
end
for _, own in ipairs(lanes) do pump(own, batch) end
return promoted
