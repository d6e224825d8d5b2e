/**
 * `provider:model`, or several separated by commas. A name ends with what is no space, so that there is one way to read a
 * text: clients send these, and a pattern that can be tried in many ways would hold up everybody.
 */
export const MODEL_NAMES =
  /^[a-z0-9-]+(:[^,\s]([^,]*[^,\s])?)?(\s*,\s*[a-z0-9-]+(:[^,\s]([^,]*[^,\s])?)?)*\s*$/;
