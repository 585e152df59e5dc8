-- sweep: removes consumers that hold nothing and have been silent for long.
-- KEYS   1 the group's stream
-- ARGV   consumer group, ms of silence
-- GIVES  how many
local swept = 0
if redis.call('EXISTS', KEYS[1]) == 0 then return swept end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local facts = {}
  for position = 1, #consumer, 2 do facts[consumer[position]] = consumer[position + 1] end
  if facts.pending == 0 and facts.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts.name)
    swept = swept + 1
  end
end
return swept
