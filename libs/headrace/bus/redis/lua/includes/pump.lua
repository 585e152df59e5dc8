-- pump(lane, limit): hands out the lane's head, and what stands ready right behind it, as one entry; or forgets an empty lane: at once,
-- or when its state has outlived its time.
-- What has been handed out keeps its ticket until it is settled, so nothing behind it can be the head.
local function pump(lane, limit)
  local tickets = redis.call('ZRANGE', lane.tickets, 0, limit - 1)
  if #tickets == 0 then
    local ttl_ms = redis.call('HGET', lane.key, 'ttl_ms')
    if not ttl_ms then redis.call('DEL', lane.key) elseif ttl_ms ~= '0' then redis.call('PEXPIRE', lane.key, ttl_ms) end
    return
  end
  local entry, parked = {}, {}
  for _, ticket in ipairs(tickets) do
    local frame = redis.call('HGET', lane.key, 'p' .. ticket)
    if not frame then break end
    entry[#entry + 1] = ticket
    entry[#entry + 1] = frame
    parked[#parked + 1] = 'p' .. ticket
  end
  if #parked == 0 then return end
  entry[#entry + 1] = 'lane'
  entry[#entry + 1] = lane.name
  local state = redis.call('HGET', lane.key, 'state')
  if state then
    entry[#entry + 1] = 'state'
    entry[#entry + 1] = state
  end
  redis.call('HDEL', lane.key, unpack(parked))
  redis.call('XADD', lane.stream, '*', unpack(entry))
end
