-- resume(stream, stash, frames, signal): an item that waited for a signal goes on, the signal's frame behind its own.
-- @include entry_of
local function resume(stream, stash, frames, signal)
  frames[#frames + 1] = signal
  redis.call('XADD', stream, '*', unpack(entry_of(frames, stash)))
end
