"""How tasks talk: channels within a process, and one that carries the same contract between processes.

The facade for users.
"""

from headrace.channels.broadcast import BroadcastReceiver, BroadcastSender, broadcast
from headrace.channels.channel import channel
from headrace.channels.ends import Lagged, Nothing, Received, Receiver, Sender, Sent
from headrace.channels.oneshot import OneshotSender, oneshot
from headrace.channels.select import Selected, select
from headrace.channels.watch import WatchReceiver, WatchSender, watch

__all__ = [
    "broadcast",
    "BroadcastReceiver",
    "BroadcastSender",
    "channel",
    "Lagged",
    "Nothing",
    "oneshot",
    "OneshotSender",
    "Received",
    "Receiver",
    "select",
    "Selected",
    "Sender",
    "Sent",
    "watch",
    "WatchReceiver",
    "WatchSender",
]
