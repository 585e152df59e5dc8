-- empty_stash(run, stash): deletes the frames of a gathered item.
local function empty_stash(run, stash)
  local fields = { 'g' .. stash }
  for number = 1, tonumber(redis.call('HGET', run.joins, 'g' .. stash) or '0') do
    fields[#fields + 1] = 'g' .. stash .. '#' .. number
    if #fields == 1000 then
      redis.call('HDEL', run.joins, unpack(fields))
      fields = {}
    end
  end
  if #fields > 0 then redis.call('HDEL', run.joins, unpack(fields)) end
end
