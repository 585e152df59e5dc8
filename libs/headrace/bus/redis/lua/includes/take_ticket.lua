-- take_ticket(lane): the next place in a lane.
local function take_ticket(lane)
  local ticket = redis.call('HINCRBY', lane.key, 'last', 1)
  redis.call('ZADD', lane.tickets, ticket, ticket)
  return ticket
end
