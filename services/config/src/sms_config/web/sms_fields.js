// The fields of an SMS configuration. Generated from SmsConfigFields (`make docs`).

export const SMS_FIELDS = [
  {"name": "name", "label": "Name", "hint": null, "kind": "text", "required": true, "unset": null},
  {"name": "enabled", "label": "Enable", "hint": null, "kind": "switch", "required": false, "unset": true},
  {"name": "sender_id", "label": "Sender ID", "hint": "A number of the trunk. Empty: the trunk's default number.", "kind": "text", "required": false, "unset": null},
  {"name": "failure_policy", "label": "When the carrier's answer is lost", "hint": null, "kind": "own", "required": false, "unset": "hold"},
  {"name": "limits", "label": "Limits", "hint": null, "kind": "own", "required": false, "unset": {"segments_per_second": null, "burst": 1, "number_segments_per_minute": null, "account_segments_per_second": null, "campaign_id": null, "campaign_segments_per_minute": null, "brand_id": null, "brand_segments_per_day": null}},
];
