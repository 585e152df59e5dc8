-- count_end(env, pipe): counts the end of a run of a pipe: at once, or with all others of the call where `env.ended` collects them.
local function count_end(env, pipe)
  if env.ended then
    env.ended[pipe] = (env.ended[pipe] or 0) + 1
  else
    redis.call('HINCRBY', env.admitted, 'ended:' .. pipe, 1)
  end
end
