"""The dispatcher's composition root: the only place that constructs things, in the order in which they depend on each other."""

import asyncio
import os
import socket
import uuid
from contextlib import AsyncExitStack

import aiohttp
from aiohttp import web

from sms_common import topology
from sms_common.broker import Delivery, RabbitBroker
from sms_common.carriers import CARRIERS
from sms_common.config_client import ConfigClient
from sms_common.configuration import DispatcherSnapshot, Tenant
from sms_common.errors import Code, Unavailable
from sms_common.events import utc_now
from sms_common.service import Health, add_routes, run, serve
from sms_common.telemetry import configure, load_settings
from sms_dispatcher.api import MessagesApi
from sms_dispatcher.carrier_events import CarrierEvents
from sms_dispatcher.due import DueEntries
from sms_dispatcher.lanes import Lanes, StopSigns
from sms_dispatcher.ledger import open_ledger
from sms_dispatcher.outbound import Outbound
from sms_dispatcher.sending import Sending
from sms_dispatcher.settings import Settings
from sms_dispatcher.telling import Teller

# The longest carrier call (25 s), the writing of its result (5 s) and a margin; below the 45 s after which we are killed.
DRAIN_SECONDS = 35.0
