-- promote: puts due items back into their lane or their group's stream, those of an ended run are dropped; and rings due alarms.
-- Lanes hand out when all items are in their places, so what comes back together goes out together.
-- KEYS   as `env`; then 7 the schedule; then the keys that ARGV names by their numbers
-- ARGV   as `env`; then number of members; of each: length of the rest, member, number of its run's key, trace_id, and
--        'item', lane, number of its stream's key, ticket, stash, number of frames, the frames; or
--        'alarm', the join, blob of its run's terminal if it is not ready, `holds`
-- GIVES  how many were dealt with now
-- @include env
-- @include key
-- @include names
-- @include entry_of
-- @include lane
-- @include pump
-- @include join
-- @include came
-- @include fire
-- @include holds
-- @include open_run
-- @include takes_work
-- @include save_run
-- @include end_run
-- @include count_out
local lanes, is_listed = {}, {}

local function put_back(is_wanted)
  local own, stream, ticket, stash, frames = lane(), key(), arg(), arg(), names()
  if own then
    if is_wanted then redis.call('HSET', own.key, 'p' .. ticket, frames[1]) else redis.call('ZREM', own.tickets, ticket) end
    if not is_listed[own.key] then
      is_listed[own.key] = true
      lanes[#lanes + 1] = own
    end
  elseif is_wanted then
    redis.call('XADD', stream, '*', unpack(entry_of(frames, stash)))
  end
end

local function ring(run)
  local own, timed_out = join(), arg()
  holds(run)
  local frames, empty = came(run, own)
  if not frames then return end
  local is_ready = not own.gathers
  for _, slot in ipairs(empty) do is_ready = is_ready and slot.optional end
  if is_ready then
    fire(run, own, frames)
  elseif run.state == 'open' then
    end_run(run, 'failed', timed_out)
  end
  save_run(run)
end

local promoted = 0
for _ = 1, arg() do
  local stop = passage()
  local member, number, trace, kind = arg(), arg(), arg(), arg()
  if redis.call('ZREM', KEYS[7], member) == 1 then
    local run = open_run(number, trace, env)
    local is_wanted = takes_work(run)
    if kind == 'item' then
      if not is_wanted then count_out(number, trace, env, 1) end
      put_back(is_wanted)
    elseif is_wanted then
      ring(run)
    end
    promoted = promoted + 1
  end
  leap(stop)
end
for _, own in ipairs(lanes) do pump(own, env.batch) end
return promoted
