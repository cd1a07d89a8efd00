"""What happens beside requests: schedules call functions, and functions' logs are delivered to a bucket."""
