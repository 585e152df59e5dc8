-- take_ticket(lane): the next place in a lane.
local function take_ticket(lane)
  local ticket = redis.call('HINCRBY', lane.key, 'last', 1)
  if ticket > 1 then redis.call('PERSIST', lane.key) end
  redis.call('ZADD', lane.tickets, ticket, ticket)
  return ticket
end
