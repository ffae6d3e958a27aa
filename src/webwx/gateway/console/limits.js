// The limits of the gateway, which `/version` tells.

/** Types of files that the gateway sends as a picture or as a video; any other is sent as a file. */
const OWN_KINDS = {
  "image/jpeg": "image_bytes",
  "image/png": "image_bytes",
  "image/gif": "image_bytes",
  "image/bmp": "image_bytes",
  "video/mp4": "video_bytes",
  "video/quicktime": "video_bytes",
  "video/3gpp": "video_bytes",
};

let limits = {};

export function learnLimits(told) {
  limits = told;
}

/** Return the largest number of bytes of a file of a media type. */
export function largest(type) {
  return limits[OWN_KINDS[type] ?? "upload_bytes"] ?? Infinity;
}
