-- commit: ends hops; each is atomic on its own, and they are applied in order.
-- KEYS   1 the group's stream  2 its dead letters  3 replies; then the keys that ARGV names by their numbers
-- ARGV   consumer group, retention in ms, lane batch, blob of a starved run's terminal, number of commits; a commit:
--        entry id, lane, has state, state, limit, number settled, each as `settle` reads it, number of the rest, ticket and frame of each
-- GIVES  a list a commit: a word a settled item
-- @include arg
-- @include lane
-- @include now_ms
-- @include pump
-- @include settle
local consumers = arg()
local env = {
  dead = KEYS[2], replies = KEYS[3], now_ms = now_ms(),
  retention_ms = tonumber(arg()), batch = tonumber(arg()), starved = arg(),
}

local function close_lane(own, has_state, state, limit, rest)
  if has_state then redis.call('HSET', own.key, 'state', state) end
  for _, item in ipairs(rest) do redis.call('HSET', own.key, 'p' .. item[1], item[2]) end
  pump(own, limit > 0 and limit or env.batch)
end

local function fenced()
  local number, trace = arg(), arg()
  for _ = 1, 6 do arg() end
  for _ = 1, tonumber(arg()) do lane() end
  for _ = 1, tonumber(arg()) do skip() end
  return 'fenced'
end

local gives = {}
for number = 1, tonumber(arg()) do
  local id, own = arg(), lane()
  local has_state, state, limit = arg() == '1', arg(), tonumber(arg())
  local is_here = redis.call('XACK', KEYS[1], consumers, id) == 1
  if is_here then redis.call('XDEL', KEYS[1], id) end
  local answers, rest = {}, {}
  for position = 1, tonumber(arg()) do
    if is_here then
      local finished
      answers[position], finished = settle(env)
      if own and finished then redis.call('ZREM', own.tickets, finished) end
    else
      answers[position] = fenced()
    end
  end
  for position = 1, tonumber(arg()) do rest[position] = { arg(), arg() } end
  if own and is_here then close_lane(own, has_state, state, limit, rest) end
  gives[number] = answers
end
return gives
