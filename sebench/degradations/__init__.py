"""What a microphone, a channel or a codec does to what is heard; one family a file."""
