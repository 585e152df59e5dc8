-- commit: ends hops; each is atomic on its own, and they are applied in order.
-- KEYS   as `env`; then 7 the group's stream  8 its dead letters  9 replied; then the keys that ARGV names by their numbers
-- ARGV   as `env`; then consumer group, blob of the terminal of a run in which all waits, ms that an idle inbox is kept, number of
--        inboxes, name and number of the key of each, number of commits; a commit: entry id,
--        number of its spills, number of the key of each, lane, has state, state, its ttl in ms (0: none), limit, number settled, each as `settle` reads it, number of the rest, ticket and frame of each
-- GIVES  a list a commit: a word a settled item; a commit whose spill has expired is fenced, and its entry is handed out again;
--        then a list of inboxes that were not named and have waiters
-- @include env
-- @include key
-- @include lane
-- @include pump
-- @include settle
local consumers = arg()
env.starved = arg()
local keep_ms = arg()
env.inboxes, env.unknown, env.replied, env.replied_runs, env.ended = {}, {}, {}, 0, {}
for _ = 1, arg() do
  local name = arg()
  env.inboxes[name] = key()
end

local function close_lane(own, has_state, state, ttl_ms, limit, rest)
  if has_state then redis.call('HSET', own.key, 'state', state, 'ttl_ms', ttl_ms) end
  for _, item in ipairs(rest) do redis.call('HSET', own.key, 'p' .. item[1], item[2]) end
  pump(own, limit > 0 and limit or env.batch)
end

local function acknowledged(id)
  local is_whole = true
  for _ = 1, arg() do is_whole = redis.call('EXISTS', key()) == 1 and is_whole end
  return is_whole and redis.call('XACK', KEYS[7], consumers, id) == 1
end

local gives = {}
for number = 1, arg() do
  local id = arg()
  local is_here, own = acknowledged(id), lane()
  local has_state, state, ttl_ms, limit = arg() == 1, arg(), arg(), arg()
  if is_here then redis.call('XDEL', KEYS[7], id) end
  local answers, rest = {}, {}
  for position = 1, arg() do
    if is_here then
      local finished
      answers[position], finished = settle(KEYS[8])
      if own and finished then redis.call('ZREM', own.tickets, finished) end
    else
      leap(passage())
      answers[position] = 'fenced'
    end
  end
  for position = 1, arg() do rest[position] = { arg(), arg() } end
  if own and is_here then close_lane(own, has_state, state, ttl_ms, limit, rest) end
  gives[number] = answers
end
for inbox in pairs(env.replied) do redis.call('PEXPIRE', inbox, keep_ms) end
for pipe, count in pairs(env.ended) do redis.call('HINCRBY', env.admitted, 'ended:' .. pipe, count) end
if env.replied_runs > 0 then redis.call('INCRBY', KEYS[9], env.replied_runs) end
local unknown = {}
for name in pairs(env.unknown) do unknown[#unknown + 1] = name end
gives[#gives + 1] = unknown
return gives
