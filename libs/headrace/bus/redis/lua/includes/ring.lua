-- ring(key): has those who wait at a bell of a channel ask again; the bell is there as long as the channel.
local function ring(key)
  redis.call('XADD', KEYS[key], 'MAXLEN', 1, '*', 'rung', 1)
  redis.call('PEXPIRE', KEYS[key], ARGV[4])
end
